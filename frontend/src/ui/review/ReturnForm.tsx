/** Returning a shape: a reason by number, or in words. */
import { Button, Chip, Group, Popover, Stack, Textarea } from "@mantine/core";
import { IconArrowBackUp } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { RETURN_COLOUR } from "../colour";
import { REASONS, reasonText } from "./reasons";

interface ReturnFormProps {
  readonly onReturn: (comment: string) => void;
  /** Opened from outside, by a key. */
  readonly opened?: boolean;
  readonly onOpenChange?: (opened: boolean) => void;
}

export function ReturnForm({ onReturn, opened: openedOutside, onOpenChange }: ReturnFormProps) {
  const { t } = useTranslation();
  const [openedHere, setOpenedHere] = useState(false);
  const [reason, setReason] = useState<string | null>(null);
  const [words, setWords] = useState("");
  const opened = openedOutside ?? openedHere;
  const setOpened = onOpenChange ?? setOpenedHere;
  const comment = reasonText(reason, words);
  const send = (text: string) => {
    setOpened(false);
    setReason(null);
    setWords("");
    onReturn(text);
  };
  return (
    <Popover opened={opened} onChange={setOpened} width={340} position="top" trapFocus returnFocus>
      <Popover.Target>
        <Button
          size="xs"
          variant="default"
          leftSection={<IconArrowBackUp size={14} />}
          onClick={() => setOpened(!opened)}
          data-testid="action-return"
        >
          {t("review.return")}
        </Button>
      </Popover.Target>
      <Popover.Dropdown
        data-testid="return-form"
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.target instanceof HTMLTextAreaElement) {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && comment !== "") send(comment);
            return;
          }
          const chosen = REASONS[Number(event.key) - 1];
          if (chosen !== undefined) {
            event.preventDefault();
            send(reasonText(chosen, words));
          }
        }}
      >
        <Stack gap="sm">
          <Chip.Group value={reason} onChange={(value) => setReason(typeof value === "string" ? value : null)}>
            <Group gap={4} data-autofocus tabIndex={-1} style={{ outline: "none" }}>
              {REASONS.map((one, index) => (
                <Chip key={one} value={one} size="xs" data-testid={`reason-${one}`}>
                  {index + 1} {t(`reason.${one}`)}
                </Chip>
              ))}
            </Group>
          </Chip.Group>
          <Textarea
            aria-label={t("review.comment")}
            placeholder={t("review.commentHelp")}
            value={words}
            onChange={(event) => setWords(event.currentTarget.value)}
            rows={2}
            maxLength={2000}
            data-testid="return-comment"
          />
          <Group justify="flex-end">
            <Button
              size="xs"
              color={RETURN_COLOUR}
              disabled={comment === ""}
              onClick={() => send(comment)}
              data-testid="return-submit"
            >
              {t("review.return")}
            </Button>
          </Group>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
