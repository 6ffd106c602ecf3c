/** The left rail: one tool active, its key in the tooltip; undo and redo below. */
import { ActionIcon, Divider, Tooltip } from "@mantine/core";
import {
  IconArrowBackUp,
  IconArrowForwardUp,
  IconLine,
  IconPointer,
  IconPolygon,
  IconRectangle,
  IconRuler2,
  IconSparkles,
  IconVectorBezier2,
  type Icon,
} from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { useActions, useHistory, useTool, useToolAvailable, type ToolName } from "../project";
import classes from "./ToolRail.module.css";

interface RailTool {
  readonly name: ToolName;
  readonly key: string;
  readonly icon: Icon;
}

const TOOLS: readonly RailTool[] = [
  { name: "select", key: "V", icon: IconPointer },
  { name: "click", key: "S", icon: IconSparkles },
  { name: "box", key: "B", icon: IconRectangle },
  { name: "polygon", key: "P", icon: IconPolygon },
  { name: "line", key: "L", icon: IconLine },
  { name: "edit", key: "E", icon: IconVectorBezier2 },
  { name: "measure", key: "M", icon: IconRuler2 },
];

export function ToolRail() {
  const { t } = useTranslation();
  const active = useTool();
  const available = useToolAvailable();
  const history = useHistory();
  const actions = useActions();
  return (
    <div className={classes["rail"]} role="toolbar" aria-orientation="vertical" aria-label={t("tool.rail")}>
      {TOOLS.map(({ name, key, icon: ToolIcon }) => (
        <Tooltip
          key={name}
          position="right"
          label={
            <>
              {t(`tool.${name}`)} <kbd>{key}</kbd>
            </>
          }
        >
          <ActionIcon
            size={36}
            variant={active === name ? "filled" : "subtle"}
            color={active === name ? "edge" : "gray"}
            aria-pressed={active === name}
            aria-label={t(`tool.${name}`)}
            aria-keyshortcuts={key}
            disabled={!available(name)}
            onClick={() => actions.chooseTool(name)}
            data-testid={`tool-${name}`}
          >
            <ToolIcon size={20} stroke={1.7} />
          </ActionIcon>
        </Tooltip>
      ))}
      <Divider w={24} my={4} />
      <Tooltip
        position="right"
        label={
          <>
            {t("tool.undo")} <kbd>Ctrl Z</kbd>
          </>
        }
      >
        <ActionIcon
          size={36}
          disabled={!history.canUndo}
          aria-label={t("tool.undo")}
          onClick={() => actions.undo()}
          data-testid="undo"
        >
          <IconArrowBackUp size={20} stroke={1.7} />
        </ActionIcon>
      </Tooltip>
      <Tooltip
        position="right"
        label={
          <>
            {t("tool.redo")} <kbd>Ctrl Shift Z</kbd>
          </>
        }
      >
        <ActionIcon
          size={36}
          disabled={!history.canRedo}
          aria-label={t("tool.redo")}
          onClick={() => actions.redo()}
          data-testid="redo"
        >
          <IconArrowForwardUp size={20} stroke={1.7} />
        </ActionIcon>
      </Tooltip>
    </div>
  );
}
