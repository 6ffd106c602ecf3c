/** The whole interface: providers around the routes. */
import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "./global.css";
import { MantineProvider } from "@mantine/core";
import { ModalsProvider } from "@mantine/modals";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import type { ComponentType } from "react";
import { useState } from "react";
import { BrowserRouter } from "react-router";
import "../i18n";
import { cspNonce } from "./nonce";
import { createQueryClient } from "./query";
import { AppRoutes } from "./routes";
import { cssVariables, theme } from "./theme";

export interface AppProps {
  /** The map, from its own room; fills its parent. */
  readonly MapView: ComponentType;
}

export function App({ MapView }: AppProps) {
  const [queryClient] = useState(createQueryClient);
  return (
    <MantineProvider
      theme={theme}
      defaultColorScheme="dark"
      cssVariablesResolver={cssVariables}
      getStyleNonce={cspNonce}
    >
      <QueryClientProvider client={queryClient}>
        <ModalsProvider>
          <Notifications position="bottom-left" zIndex={400} limit={4} />
          <BrowserRouter>
            <AppRoutes MapView={MapView} />
          </BrowserRouter>
        </ModalsProvider>
      </QueryClientProvider>
    </MantineProvider>
  );
}
