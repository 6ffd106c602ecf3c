/** The 48 px bar of pages outside a project. */
import { ActionIcon, Group, Menu, Tooltip, UnstyledButton } from "@mantine/core";
import { IconHelp, IconKey, IconLogout, IconSparkles } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate } from "react-router";
import { api } from "../../net/api";
import { notifyError } from "../errors";
import { useSession, useSetUser } from "../session";
import classes from "./PageBar.module.css";
import { PersonDot } from "./PersonDot";
import { SchemeToggle } from "./SchemeToggle";
import { Wordmark } from "./Wordmark";

export function PageBar({ children }: { readonly children?: ReactNode }) {
  const { t } = useTranslation();
  return (
    <header className={classes["bar"]}>
      <Link to="/" className={classes["home"]} aria-label={t("nav.projects")}>
        <Wordmark />
      </Link>
      <Group gap="sm" flex={1}>
        {children}
      </Group>
      <Group gap={4} wrap="nowrap">
        <Tooltip label={t("nav.help")}>
          <ActionIcon component={Link} to="/help" aria-label={t("nav.help")}>
            <IconHelp size={18} />
          </ActionIcon>
        </Tooltip>
        <SchemeToggle />
        <UserMenu />
      </Group>
    </header>
  );
}

/** Account, sign-out: behind the user's own dot. */
export function UserMenu() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const user = useSession().data?.user ?? null;
  const setUser = useSetUser();
  const signOut = useMutation({
    mutationFn: () => api.session.signOut(),
    onSuccess: async () => {
      setUser(null);
      await navigate("/signin");
    },
    onError: notifyError,
  });
  if (user === null) return null;
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <UnstyledButton
          className={classes["user"]}
          aria-label={t("nav.account", { person: user.display_name })}
          data-testid="user-menu"
        >
          <PersonDot name={user.display_name} colour={user.colour} />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{user.display_name}</Menu.Label>
        <Menu.Item component={Link} to="/account" leftSection={<IconKey size={16} />} data-testid="user-menu-account">
          {t("nav.accountPage")}
        </Menu.Item>
        {user.is_staff && (
          <Menu.Item
            component={Link}
            to="/models"
            leftSection={<IconSparkles size={16} />}
            data-testid="user-menu-models"
          >
            {t("nav.models")}
          </Menu.Item>
        )}
        <Menu.Item
          leftSection={<IconLogout size={16} />}
          onClick={() => signOut.mutate()}
          data-testid="user-menu-signout"
        >
          {t("nav.signOut")}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
