/** Which address shows which screen. */
import type { ComponentType } from "react";
import { Navigate, Route, Routes } from "react-router";
import { AccountPage } from "./pages/AccountPage";
import { HelpPage } from "./pages/HelpPage";
import { InvitePage } from "./pages/InvitePage";
import { ModelsPage } from "./pages/ModelsPage";
import { NotFoundPage } from "./pages/NotFoundPage";
import { ProjectListPage } from "./pages/ProjectListPage";
import { ProjectShell } from "./pages/ProjectShell";
import { SignInPage } from "./pages/SignInPage";
import { RequireUser } from "./session";

export function AppRoutes({ MapView }: { readonly MapView: ComponentType }) {
  return (
    <Routes>
      <Route path="/signin" element={<SignInPage />} />
      <Route path="/invite/:token" element={<InvitePage />} />
      <Route path="/help" element={<HelpPage />} />
      <Route path="/" element={signedIn(<ProjectListPage />)} />
      <Route path="/models" element={signedIn(<ModelsPage />)} />
      <Route path="/account" element={signedIn(<AccountPage />)} />
      <Route path="/projects/:projectId" element={<Navigate to="map" replace />} />
      <Route path="/projects/:projectId/:screen" element={signedIn(<ProjectShell MapView={MapView} />)} />
      <Route path="*" element={<NotFoundPage />} />
    </Routes>
  );
}

function signedIn(page: React.ReactNode) {
  return <RequireUser>{page}</RequireUser>;
}
