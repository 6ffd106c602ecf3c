/** The draft's candidates with their scores, and its way on: the same by mouse as by Tab, Enter and Esc. */
import { Button, Group, Text, Tooltip, UnstyledButton } from "@mantine/core";
import { IconCheck, IconX } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { ACCEPT_COLOUR } from "../colour";
import { formatArea } from "../format";
import { ShapeIcon } from "../parts/ShapeIcon";
import { useActions, useDraft, useDraftClass, useObstacle } from "../project";
import classes from "./DraftBar.module.css";
import { DraftShape } from "./DraftShape";

export function DraftBar() {
  const { t } = useTranslation();
  const draft = useDraft();
  const labelClass = useDraftClass();
  const obstacle = useObstacle();
  const actions = useActions();
  if (draft?.phase !== "shown" || draft.candidates.length === 0 || labelClass === null) return null;
  return (
    <div className={classes["bar"]} role="toolbar" aria-label={t("draft.title")} data-testid="draft-bar">
      {draft.model?.instead_of !== undefined && (
        <Text size="xs" c="dimmed" className={classes["note"]} data-testid="draft-model">
          {t("draft.insteadOf", { old: draft.model.name, fresh: draft.model.instead_of })}
        </Text>
      )}
      {obstacle !== null && (
        <Text size="xs" className={classes["note"]} data-testid="draft-obstacle">
          {obstacle}
        </Text>
      )}
      <Group gap={4} wrap="nowrap">
        {draft.candidates.map((candidate, index) => (
          <Tooltip
            key={candidate.index}
            label={
              <>
                {t("draft.candidate", { n: index + 1, area: formatArea(candidate.area_m2) })} <kbd>Tab</kbd>
              </>
            }
          >
            <UnstyledButton
              className={classes["candidate"]}
              aria-pressed={index === draft.chosen}
              onClick={() => actions.chooseCandidate(index)}
              data-testid={`candidate-${index}`}
            >
              <ShapeIcon geometry={candidate.geometry} colour={labelClass.colour} size={28} />
              <Text span size="xs">
                {t("provenance.percent", { n: Math.round(100 * candidate.score) })}
              </Text>
            </UnstyledButton>
          </Tooltip>
        ))}
      </Group>
      <DraftShape />
      <Button
        size="xs"
        color={ACCEPT_COLOUR}
        leftSection={<IconCheck size={14} />}
        disabled={obstacle !== null}
        onClick={() => actions.acceptDraft()}
        data-testid="draft-accept"
      >
        {t("draft.accept", { name: labelClass.name })}
      </Button>
      <Button
        size="xs"
        variant="default"
        leftSection={<IconX size={14} />}
        onClick={() => actions.clearDraft()}
        data-testid="draft-clear"
      >
        {t("draft.clear")}
      </Button>
    </div>
  );
}
