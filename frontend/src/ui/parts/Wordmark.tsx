/** The product's sign and name. */
import { Group, Text } from "@mantine/core";
import icon from "../assets/icon.svg";

export function Wordmark({ size = "md" }: { readonly size?: "md" | "lg" }) {
  const pixels = size === "lg" ? 32 : 22;
  return (
    <Group gap="sm" wrap="nowrap">
      <img src={icon} width={pixels} height={pixels} alt="" />
      <Text fw={650} size={size === "lg" ? "xl" : "md"}>
        Edgewise
      </Text>
    </Group>
  );
}
