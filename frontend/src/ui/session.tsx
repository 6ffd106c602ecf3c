/** Who is signed in, as the server says. */
import { Center, Loader } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Navigate, useLocation } from "react-router";
import { api } from "../net/api";
import type { Session, User } from "../protocol/rest";
import { ErrorNote } from "./parts/ErrorNote";
import { keys } from "./query";

export function useSession() {
  return useQuery({ queryKey: keys.session, queryFn: () => api.session.get(), staleTime: 60_000 });
}

/** The signed-in user; only under RequireUser. */
export function useUser(): User {
  const user = useSession().data?.user;
  if (user === null || user === undefined) throw new Error("useUser needs RequireUser above it");
  return user;
}

/** Puts a fresh user into the session without asking the server again. */
export function useSetUser() {
  const client = useQueryClient();
  return (user: User | null) => {
    client.setQueryData<Session>(keys.session, (old) => (old === undefined ? old : { ...old, user }));
    if (user === null) client.removeQueries({ predicate: (query) => query.queryKey[0] !== "session" });
  };
}

export function RequireUser({ children }: { readonly children: ReactNode }) {
  const session = useSession();
  const location = useLocation();
  if (session.isPending) {
    return (
      <Center h="100%">
        <Loader size="sm" />
      </Center>
    );
  }
  if (session.data === undefined) {
    return (
      <Center h="100%" p="lg">
        <ErrorNote error={session.error} onRetry={() => void session.refetch()} />
      </Center>
    );
  }
  if (session.data.user === null) {
    const here = location.pathname + location.search;
    return <Navigate to={here === "/" ? "/signin" : `/signin?next=${encodeURIComponent(here)}`} replace />;
  }
  return children;
}
