/** One raster: what it is, how far it has come, and what can be done next. */
import { ActionIcon, Badge, Button, Group, Menu, Paper, Progress, Stack, Text, Tooltip } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { modals } from "@mantine/modals";
import { IconCpu, IconDots, IconMap, IconPencil, IconPhotoOff, IconRefresh, IconTrash } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Raster } from "../../protocol/entities";
import { api } from "../../net/api";
import { notifyError } from "../errors";
import { formatBytes, formatCount, formatDate, formatPixelSize } from "../format";
import { useJobs, useRole } from "../project";
import { EncodeDialog } from "./EncodeDialog";
import classes from "./RasterCard.module.css";
import { RasterDetailsDialog } from "./RasterDetailsDialog";
import { Refusal } from "./Refusal";
import { encodeShare, jobOf, jobShare, thumbnailUrl } from "./rasterFacts";

interface RasterCardProps {
  readonly projectId: string;
  readonly raster: Raster;
  readonly onResumeUpload: () => void;
}

export function RasterCard({ projectId, raster, onResumeUpload }: RasterCardProps) {
  const { t } = useTranslation();
  const owner = useRole() === "owner";
  const [editing, { open: edit, close: stopEditing }] = useDisclosure(false);
  const remove = useMutation({ mutationFn: () => api.rasters.remove(raster.id), onError: notifyError });
  const retry = useMutation({ mutationFn: () => api.rasters.retry(raster.id), onError: notifyError });
  const confirmRemove = () =>
    modals.openConfirmModal({
      title: t("raster.removeTitle", { name: raster.name }),
      children: <Text>{t("raster.removeText")}</Text>,
      labels: { confirm: t("raster.remove"), cancel: t("action.cancel") },
      confirmProps: { color: "red" },
      onConfirm: () => remove.mutate(),
    });
  return (
    <Paper
      withBorder
      className={classes["card"]}
      data-testid={`raster-${raster.id}`}
      data-raster-name={raster.name}
      data-state={raster.state}
    >
      <Thumbnail raster={raster} />
      <Stack gap="sm" p="md" flex={1}>
        <Group justify="space-between" wrap="nowrap" gap="sm">
          <Tooltip label={raster.name} openDelay={700}>
            <Text fw={600} truncate>
              {raster.name}
            </Text>
          </Tooltip>
          {owner && (
            <Menu position="bottom-end">
              <Menu.Target>
                <ActionIcon size={28} aria-label={t("raster.menu", { name: raster.name })} data-testid="raster-menu">
                  <IconDots size={18} />
                </ActionIcon>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Item leftSection={<IconPencil size={16} />} onClick={edit}>
                  {t("raster.edit")}
                </Menu.Item>
                <Menu.Item leftSection={<IconRefresh size={16} />} onClick={() => retry.mutate()}>
                  {t("raster.retry")}
                </Menu.Item>
                <Menu.Item leftSection={<IconTrash size={16} />} color="red" onClick={confirmRemove}>
                  {t("raster.remove")}
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
          )}
        </Group>
        <Facts raster={raster} />
        <div className={classes["foot"]}>
          <StateOf projectId={projectId} raster={raster} owner={owner} onResumeUpload={onResumeUpload} />
        </div>
      </Stack>
      {editing && <RasterDetailsDialog raster={raster} onClose={stopEditing} />}
    </Paper>
  );
}

function Thumbnail({ raster }: { readonly raster: Raster }) {
  const { t } = useTranslation();
  const [broken, setBroken] = useState(false);
  if (raster.state !== "viewable" || broken) {
    return (
      <div className={classes["thumb"]}>
        <IconPhotoOff size={32} className={classes["ghost"]} aria-hidden />
      </div>
    );
  }
  return (
    <div className={classes["thumb"]}>
      <img
        src={thumbnailUrl(raster)}
        alt={t("raster.thumbnail", { name: raster.name })}
        loading="lazy"
        onError={() => setBroken(true)}
      />
    </div>
  );
}

function Facts({ raster }: { readonly raster: Raster }) {
  const { t } = useTranslation();
  const facts: [string, ReactNode][] = [];
  if (raster.crs !== null) {
    const code = raster.crs.epsg === null ? "" : `EPSG:${raster.crs.epsg}`;
    facts.push([
      t("raster.crs"),
      <Tooltip key="crs" label={raster.crs.name}>
        <span>{code === "" ? raster.crs.name : code}</span>
      </Tooltip>,
    ]);
  }
  if (raster.pixel_size_m !== null) facts.push([t("raster.pixel"), formatPixelSize(raster.pixel_size_m[0])]);
  if (raster.width !== null && raster.height !== null) {
    facts.push([t("raster.size"), `${formatCount(raster.width)} × ${formatCount(raster.height)}`]);
  }
  if (raster.bands.length > 0) {
    facts.push([t("raster.bands"), `${raster.bands.length} × ${raster.bands[0]?.dtype ?? ""}`]);
  }
  facts.push([t("raster.date"), raster.acquired_on === null ? t("raster.noDate") : formatDate(raster.acquired_on)]);
  if (raster.size_bytes !== null) facts.push([t("raster.bytes"), formatBytes(raster.size_bytes)]);
  return (
    <dl className={classes["facts"]}>
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

interface StateProps extends RasterCardProps {
  readonly owner: boolean;
}

function StateOf({ projectId, raster, owner, onResumeUpload }: StateProps) {
  const { t } = useTranslation();
  const jobs = useJobs();
  const [planning, { open: plan, close: stopPlanning }] = useDisclosure(false);
  const job = jobOf(jobs, raster.id);
  const share = job?.kind === "encode" ? jobShare(job) : encodeShare(raster);

  if (raster.state === "refused") return <Refusal projectId={projectId} raster={raster} owner={owner} />;
  if (raster.state === "uploading") {
    const { upload } = raster;
    return (
      <Stack gap="sm">
        <Progress
          value={upload === null || upload.length === 0 ? 0 : (100 * upload.offset) / upload.length}
          aria-label={t("upload.progress", { name: raster.name })}
        />
        <Text size="xs" c="dimmed">
          {t("raster.uploadElsewhere")}
        </Text>
        {owner && (
          <Button variant="default" size="xs" onClick={onResumeUpload}>
            {t("raster.uploadContinue")}
          </Button>
        )}
      </Stack>
    );
  }
  if (raster.state !== "viewable") {
    return (
      <Stack gap="sm">
        <Progress
          value={job !== null && job.total > 0 ? (100 * job.done) / job.total : 100}
          animated
          aria-label={t(`raster.state.${raster.state}`)}
        />
        <Text size="xs" c="dimmed">
          {t(`raster.state.${raster.state}`)}
        </Text>
      </Stack>
    );
  }
  return (
    <Stack gap="sm">
      <Tooltip label={t("raster.encodeHelp")} multiline w={260}>
        <div>
          <Group justify="space-between" mb={4}>
            <Text size="xs" c="dimmed">
              {job !== null
                ? t("raster.encoding")
                : share === 100
                  ? t("raster.encodedAll")
                  : t("raster.encodedSome", { ready: formatCount(raster.encode.ready) })}
            </Text>
            {raster.encode.planned > 0 && (
              <Text size="xs" c="dimmed">
                {job?.kind === "encode"
                  ? `${formatCount(job.done + job.skipped)} / ${formatCount(job.total)}`
                  : `${formatCount(raster.encode.ready)} / ${formatCount(raster.encode.planned - raster.encode.skipped)}`}
              </Text>
            )}
          </Group>
          <Progress value={share} size={6} animated={job !== null} aria-label={t("raster.encodeProgress")} />
        </div>
      </Tooltip>
      <Group gap="sm">
        <Button
          component={Link}
          to={`/projects/${projectId}/map?raster=${raster.id}`}
          size="xs"
          leftSection={<IconMap size={14} />}
          data-testid="raster-open"
        >
          {t("raster.open")}
        </Button>
        {owner && share < 100 && job === null && (
          <Button
            size="xs"
            variant="default"
            leftSection={<IconCpu size={14} />}
            onClick={plan}
            data-testid="raster-encode"
          >
            {t("raster.encode")}
          </Button>
        )}
        {raster.encode.failed > 0 && (
          <Badge color="orange" variant="light">
            {t("raster.windowsFailed", { count: raster.encode.failed })}
          </Badge>
        )}
      </Group>
      {planning && <EncodeDialog raster={raster} onClose={stopPlanning} />}
    </Stack>
  );
}
