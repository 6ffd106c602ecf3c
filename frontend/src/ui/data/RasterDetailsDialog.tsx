/** Name, date and display recipe of a raster. */
import { Button, Group, Modal, NumberInput, Select, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import type { Raster } from "../../protocol/entities";
import { api } from "../../net/api";
import { fieldErrors } from "../errors";
import { ErrorNote } from "../parts/ErrorNote";

const CHANNELS = ["red", "green", "blue"] as const;

export function RasterDetailsDialog({ raster, onClose }: { readonly raster: Raster; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const [name, setName] = useState(raster.name);
  const [date, setDate] = useState(raster.acquired_on ?? "");
  const [recipe, setRecipe] = useState(raster.recipe);
  const save = useMutation({
    mutationFn: () =>
      api.rasters.change(raster.id, {
        name: name.trim(),
        acquired_on: date === "" ? null : date,
        ...(recipe === null || recipe === raster.recipe ? {} : { recipe }),
      }),
    onSuccess: onClose,
  });
  const fields = fieldErrors(save.error);
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    save.mutate();
  };
  const setBand = (channel: number, band: number) => {
    if (recipe === null) return;
    const stats = raster.bands.find((one) => one.index === band)?.stats;
    setRecipe({
      ...recipe,
      bands: recipe.bands.map((old, at) => (at === channel ? band : old)),
      ranges: recipe.ranges.map((old, at) => (at === channel && stats ? [stats.p2, stats.p98] : old)),
    });
  };
  const setRange = (channel: number, end: 0 | 1, value: number) => {
    if (recipe === null) return;
    setRecipe({
      ...recipe,
      ranges: recipe.ranges.map((old, at) => {
        if (at !== channel) return old;
        return end === 0 ? [value, old[1]] : [old[0], value];
      }),
    });
  };
  return (
    <Modal opened onClose={onClose} title={t("raster.editTitle")}>
      <form onSubmit={submit}>
        <Stack>
          <ErrorNote error={save.error} />
          <TextInput
            label={t("raster.name")}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            error={fields["name"]}
            maxLength={200}
            data-autofocus
          />
          <TextInput
            type="date"
            label={t("raster.date")}
            description={t("raster.dateHelp")}
            value={date}
            onChange={(event) => setDate(event.currentTarget.value)}
            error={fields["acquired_on"]}
          />
          {recipe !== null && raster.bands.length > 0 && (
            <div>
              <Text fw={500}>{t("recipe.title")}</Text>
              <Text size="xs" c="dimmed" mb="sm">
                {t("recipe.text")}
              </Text>
              <Stack gap="sm">
                {CHANNELS.map((channel, at) => (
                  <Group key={channel} gap="sm" wrap="nowrap">
                    <Text w={48}>{t(`recipe.${channel}`)}</Text>
                    <Select
                      flex={1}
                      aria-label={t("recipe.bandOf", { channel: t(`recipe.${channel}`) })}
                      data={raster.bands.map((band) => ({
                        value: String(band.index),
                        label: t("recipe.band", { index: band.index, name: band.interpretation }),
                      }))}
                      value={String(recipe.bands[at] ?? 1)}
                      onChange={(value) => setBand(at, Number(value))}
                    />
                    {([0, 1] as const).map((end) => (
                      <NumberInput
                        key={end}
                        w={96}
                        hideControls
                        aria-label={t(end === 0 ? "recipe.low" : "recipe.high")}
                        value={recipe.ranges[at]?.[end] ?? 0}
                        onChange={(value) => setRange(at, end, Number(value))}
                      />
                    ))}
                  </Group>
                ))}
                <NumberInput
                  label={t("recipe.gamma")}
                  w={120}
                  min={0.1}
                  max={5}
                  step={0.1}
                  decimalScale={2}
                  value={recipe.gamma}
                  onChange={(value) => setRecipe({ ...recipe, gamma: Number(value) })}
                />
              </Stack>
            </div>
          )}
          <Group justify="flex-end" gap="sm">
            <Button variant="default" onClick={onClose}>
              {t("action.cancel")}
            </Button>
            <Button type="submit" loading={save.isPending} disabled={name.trim() === ""}>
              {t("action.save")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
