/** What a list shows while it has nothing: what belongs here and how to begin. */
import { Stack, Text, ThemeIcon, Title } from "@mantine/core";
import type { ReactNode } from "react";

interface EmptyStateProps {
  readonly icon: ReactNode;
  readonly title: string;
  readonly text: string;
  readonly action?: ReactNode;
  readonly compact?: boolean;
  readonly testId?: string;
}

export function EmptyState({ icon, title, text, action, compact = false, testId }: EmptyStateProps) {
  return (
    <Stack align="center" gap="sm" py={compact ? "lg" : 56} px="lg" ta="center" data-testid={testId ?? "empty-state"}>
      <ThemeIcon variant="light" color="gray" size={compact ? 36 : 52} radius="xl" aria-hidden>
        {icon}
      </ThemeIcon>
      <Title order={compact ? 3 : 2}>{title}</Title>
      <Text c="dimmed" maw={420}>
        {text}
      </Text>
      {action}
    </Stack>
  );
}
