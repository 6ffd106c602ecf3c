/** Renders a part of the interface as it stands in the app: theme, words, queries, address. */
import { MantineProvider } from "@mantine/core";
import { ModalsProvider } from "@mantine/modals";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactElement } from "react";
import { MemoryRouter } from "react-router";
import type { User } from "../../protocol/rest";
import { keys } from "../query";
import { theme } from "../theme";
import { exampleUser } from "../../protocol/examples";

interface ShowOptions {
  readonly user?: User | null;
  readonly path?: string;
}

export function show(part: ReactElement, { user = exampleUser(), path = "/" }: ShowOptions = {}) {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false, staleTime: Infinity } } });
  client.setQueryData(keys.session, { user, app: { version: "0", demo: false, open_signup: false } });
  const view = render(
    <MantineProvider theme={theme} env="test">
      <QueryClientProvider client={client}>
        <ModalsProvider>
          <MemoryRouter initialEntries={[path]}>{part}</MemoryRouter>
        </ModalsProvider>
      </QueryClientProvider>
    </MantineProvider>,
  );
  return { ...view, client, person: userEvent.setup() };
}
