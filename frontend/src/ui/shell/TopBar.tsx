/** The 48 px bar of a project: where one is, the screens, jobs and people. */
import { ActionIcon, Divider, Group, Tooltip, UnstyledButton } from "@mantine/core";
import { IconChevronDown, IconHelp, IconHome, IconSettings } from "@tabler/icons-react";
import { Menu } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link, NavLink } from "react-router";
import { api } from "../../net/api";
import { UserMenu } from "../parts/PageBar";
import { SchemeToggle } from "../parts/SchemeToggle";
import { keys } from "../query";
import { JobsMenu } from "./JobsMenu";
import { MemberDots } from "./MemberDots";
import { RasterMenu } from "./RasterMenu";
import classes from "./TopBar.module.css";

interface TopBarProps {
  readonly projectId: string;
  readonly projectName: string;
  readonly onKeys: () => void;
}

const SCREENS = ["map", "review", "data", "activity"] as const;

export function TopBar({ projectId, projectName, onKeys }: TopBarProps) {
  const { t } = useTranslation();
  return (
    <header className={classes["bar"]} data-testid="top-bar">
      <Group gap={4} wrap="nowrap" className={classes["left"]}>
        <Tooltip label={t("nav.projects")}>
          <ActionIcon component={Link} to="/" aria-label={t("nav.projects")} data-testid="nav-home">
            <IconHome size={18} />
          </ActionIcon>
        </Tooltip>
        <ProjectMenu projectId={projectId} projectName={projectName} />
        <Divider orientation="vertical" my={12} />
        <RasterMenu projectId={projectId} />
      </Group>
      <nav className={classes["screens"]} aria-label={t("nav.screens")}>
        {SCREENS.map((screen) => (
          <NavLink
            key={screen}
            to={`/projects/${projectId}/${screen}`}
            className={classes["screen"] ?? ""}
            data-testid={`nav-${screen}`}
          >
            {t(`nav.${screen}`)}
          </NavLink>
        ))}
      </nav>
      <Group gap={4} wrap="nowrap" className={classes["right"]}>
        <JobsMenu />
        <MemberDots />
        <Tooltip label={`${t("nav.allKeys")} (?)`}>
          <ActionIcon onClick={onKeys} aria-label={t("nav.allKeys")} data-testid="open-keys">
            <IconHelp size={18} />
          </ActionIcon>
        </Tooltip>
        <SchemeToggle />
        <Tooltip label={t("nav.settings")}>
          <ActionIcon
            component={Link}
            to={`/projects/${projectId}/settings`}
            aria-label={t("nav.settings")}
            data-testid="nav-settings"
          >
            <IconSettings size={18} />
          </ActionIcon>
        </Tooltip>
        <UserMenu />
      </Group>
    </header>
  );
}

function ProjectMenu({ projectId, projectName }: { readonly projectId: string; readonly projectName: string }) {
  const { t } = useTranslation();
  const projects = useQuery({ queryKey: keys.projects, queryFn: () => api.projects.list() });
  const others = (projects.data ?? []).filter((project) => project.id !== projectId);
  return (
    <Menu position="bottom-start" width={280}>
      <Menu.Target>
        <UnstyledButton className={classes["picker"]} data-testid="project-menu">
          <strong>{projectName}</strong>
          <IconChevronDown size={14} />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item component={Link} to={`/projects/${projectId}/settings`} leftSection={<IconSettings size={16} />}>
          {t("nav.settings")}
        </Menu.Item>
        <Menu.Item component={Link} to="/" leftSection={<IconHome size={16} />}>
          {t("nav.projects")}
        </Menu.Item>
        {others.length > 0 && <Menu.Label>{t("shell.otherProjects")}</Menu.Label>}
        {others.slice(0, 12).map((project) => (
          <Menu.Item key={project.id} component={Link} to={`/projects/${project.id}/map`}>
            {project.name}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
