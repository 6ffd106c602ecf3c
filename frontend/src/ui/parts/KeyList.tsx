/** Keys and what they do, in groups. */
import { SimpleGrid, Text, Title } from "@mantine/core";
import { Fragment } from "react";
import { useTranslation } from "react-i18next";
import { KEY_GROUPS } from "../keymap";
import classes from "./KeyList.module.css";

export function KeyList() {
  const { t } = useTranslation();
  return (
    <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="xl" verticalSpacing="lg" data-testid="key-list">
      {KEY_GROUPS.map((group) => (
        <section key={group.title}>
          <Title order={3} mb="sm">
            {t(group.title)}
          </Title>
          <dl className={classes["lines"]}>
            {group.lines.map((line) => (
              <Fragment key={line.text}>
                <dt>
                  {line.keys.map((key) => (
                    <kbd key={key}>{key}</kbd>
                  ))}
                </dt>
                <dd>
                  <Text>{t(line.text)}</Text>
                </dd>
              </Fragment>
            ))}
          </dl>
        </section>
      ))}
    </SimpleGrid>
  );
}
