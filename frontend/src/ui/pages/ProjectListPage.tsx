/** All projects of the user, with how far each has come. */
import { Anchor, Badge, Button, Group, Paper, SimpleGrid, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconFolderPlus, IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { api } from "../../net/api";
import type { ProjectCard } from "../../protocol/rest";
import { CreateProjectDialog } from "../dialogs/CreateProjectDialog";
import { formatCount } from "../format";
import { EmptyState } from "../parts/EmptyState";
import { ErrorNote } from "../parts/ErrorNote";
import { PageBar } from "../parts/PageBar";
import { StatusShare } from "../parts/StatusShare";
import { keys } from "../query";
import { useTitle } from "../useTitle";
import classes from "./Page.module.css";

export function ProjectListPage() {
  const { t } = useTranslation();
  useTitle(t("projects.title"));
  const projects = useQuery({ queryKey: keys.projects, queryFn: () => api.projects.list() });
  const [creating, { open, close }] = useDisclosure(false);
  const create = (
    <Button leftSection={<IconPlus size={16} />} onClick={open} data-testid="project-create">
      {t("projects.create")}
    </Button>
  );

  return (
    <div className={classes["frame"]}>
      <PageBar />
      <main className={classes["scroll"]}>
        <div className={classes["column"]}>
          <Group justify="space-between" mb="lg">
            <Title order={1}>{t("projects.title")}</Title>
            {projects.data !== undefined && projects.data.length > 0 && create}
          </Group>
          <ErrorNote error={projects.error} onRetry={() => void projects.refetch()} />
          {projects.isPending && (
            <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing="lg">
              {[0, 1, 2].map((index) => (
                <Skeleton key={index} height={168} />
              ))}
            </SimpleGrid>
          )}
          {projects.data?.length === 0 && (
            <Paper withBorder className={classes["panel"]}>
              <EmptyState
                icon={<IconFolderPlus size={26} />}
                title={t("projects.emptyTitle")}
                text={t("projects.emptyText")}
                action={create}
                testId="projects-empty"
              />
            </Paper>
          )}
          {projects.data !== undefined && projects.data.length > 0 && (
            <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing="lg" data-testid="project-list">
              {projects.data.map((project) => (
                <ProjectTile key={project.id} project={project} />
              ))}
            </SimpleGrid>
          )}
        </div>
      </main>
      <CreateProjectDialog opened={creating} onClose={close} />
    </div>
  );
}

function ProjectTile({ project }: { readonly project: ProjectCard }) {
  const { t } = useTranslation();
  const { counts } = project;
  const total = counts.draft + counts.submitted + counts.accepted + counts.changes_requested;
  return (
    <Paper withBorder className={classes["tile"]} p="lg" data-testid={`project-${project.id}`}>
      <Stack gap="md" h="100%">
        <Group justify="space-between" wrap="nowrap" align="flex-start">
          <Anchor
            component={Link}
            to={`/projects/${project.id}/map`}
            className={classes["tileLink"]}
            underline="never"
            c="inherit"
          >
            {project.name}
          </Anchor>
          <Badge variant="default" flex="none">
            {t(`role.${project.role}`)}
          </Badge>
        </Group>
        <Text c="dimmed" lineClamp={2} flex={1} mih={40}>
          {project.description === "" ? t("projects.noDescription") : project.description}
        </Text>
        <StatusShare counts={counts} />
        <Group justify="space-between" c="dimmed">
          <Text size="xs">
            {t("projects.counts", {
              shapes: formatCount(total),
              accepted: formatCount(counts.accepted),
              count: project.raster_count,
            })}
          </Text>
        </Group>
      </Stack>
    </Paper>
  );
}
