import { screen } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { serve } from "../testing/server";
import { show } from "../testing/show";
import { ProjectListPage } from "./ProjectListPage";

const id = "00000000-0000-4000-8000-000000000001";
const project = {
  id,
  name: "Valley",
  description: "",
  role: "owner",
  created_at: "2026-05-10T10:00:00Z",
  event_seq: 3,
  model: "",
};
const counts = { draft: 1, submitted: 0, accepted: 3, changes_requested: 0 };

describe("the list of projects", () => {
  it("says how to begin when there is none", async () => {
    serve({ "GET /api/projects": { projects: [] } });
    show(<ProjectListPage />);
    expect(await screen.findByTestId("projects-empty")).toHaveTextContent("No projects yet");
  });

  it("links each project to its map, with its counts", async () => {
    serve({ "GET /api/projects": { projects: [{ ...project, counts, raster_count: 1 }] } });
    show(<ProjectListPage />);
    expect(await screen.findByRole("link", { name: "Valley" })).toHaveAttribute("href", `/projects/${id}/map`);
    expect(screen.getByTestId(`project-${id}`)).toHaveTextContent("4 shapes, 3 accepted · 1 raster");
  });

  it("shows why it could not be read, and a way to try again", async () => {
    serve({ "GET /api/projects": { status: 503, error: { code: "server.busy", message: "Wait a minute." } } });
    show(<ProjectListPage />);
    expect(await screen.findByTestId("error-note")).toHaveTextContent("Wait a minute.");
    expect(screen.getByRole("button", { name: "Try again" })).toBeEnabled();
  });

  it("makes a project from the dialog", async () => {
    const asked = serve({ "GET /api/projects": { projects: [] }, "POST /api/projects": project });
    const { person } = show(<ProjectListPage />);
    await person.click(await screen.findByTestId("project-create"));
    await person.type(await screen.findByTestId("project-name"), "Valley");
    await person.click(screen.getByTestId("project-create-submit"));
    expect(asked.find((one) => one.method === "POST")?.body).toEqual({ name: "Valley", description: "" });
  });
});
