import { screen, waitFor } from "@testing-library/react";
import { Route, Routes } from "react-router";
import { describe, expect, it } from "vitest";
import { exampleUser } from "../../protocol/examples";
import { keys } from "../query";
import { serve } from "../testing/server";
import { show } from "../testing/show";
import { SignInPage } from "./SignInPage";

const pages = (
  <Routes>
    <Route path="/signin" element={<SignInPage />} />
    <Route path="*" element={<p>inside</p>} />
  </Routes>
);

async function signIn(path: string) {
  const { person } = show(pages, { user: null, path });
  await person.type(screen.getByTestId("signin-username"), " mia ");
  await person.type(screen.getByTestId("signin-password"), "pass word");
  await person.click(screen.getByTestId("signin-submit"));
}

describe("signing in", () => {
  it("sends name and password, and goes on to the page asked for", async () => {
    const asked = serve({ "POST /api/session": { user: exampleUser() } });
    await signIn("/signin?next=%2Fprojects%2F1%2Fmap");
    await screen.findByText("inside");
    expect(asked).toEqual([{ method: "POST", path: "/api/session", body: { username: "mia", password: "pass word" } }]);
  });

  it("takes one click for somebody of the demo, where the server names its accounts", async () => {
    const app = {
      version: "0",
      demo: true,
      demo_accounts: { usernames: ["mia"], password: "open" },
      open_signup: false,
    };
    const asked = serve({ "GET /api/session": { user: null, app }, "POST /api/session": { user: exampleUser() } });
    const { client, person } = show(pages, { user: null, path: "/signin" });
    client.setQueryData(keys.session, { user: null, app });
    await person.click(await screen.findByTestId("signin-demo-mia"));
    await screen.findByText("inside");
    expect(asked).toContainEqual({ method: "POST", path: "/api/session", body: { username: "mia", password: "open" } });
  });

  it("names no account where there is no demo", () => {
    show(pages, { user: null, path: "/signin" });
    expect(screen.queryByText(/demo/)).toBeNull();
  });

  it("shows the server's words when refused, and keeps what was typed", async () => {
    serve({
      "POST /api/session": {
        status: 401,
        error: { code: "auth.bad_credentials", message: "User name and password do not match." },
      },
    });
    await signIn("/signin");
    await waitFor(() => expect(screen.getByTestId("error-note")).toHaveTextContent("do not match"));
    expect(screen.getByTestId("signin-username")).toHaveValue(" mia ");
  });
});
