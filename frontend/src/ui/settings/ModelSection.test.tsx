import { screen, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { ProjectModel } from "../../protocol/models";
import { reading, standIn, startReading } from "../testing/project";
import { serve } from "../testing/server";
import { show } from "../testing/show";
import { ModelSection } from "./ModelSection";

vi.mock("../project", () => standIn());

const nano = { name: "nano", hash: "a", architecture: "", ready: 12, minutes: 0, megabytes: 0 };
const tiny = { name: "tiny", hash: "b", architecture: "sam2.1_hiera_tiny", ready: 4, minutes: 0.5, megabytes: 64 };
const said: ProjectModel = {
  chosen: "",
  default: "nano",
  model: { name: "nano", hash: "a" },
  error: null,
  encoded: 12,
  models: [nano, tiny],
};
const chosen = { ...said, chosen: "tiny", model: { name: "tiny", hash: "b" } };

beforeEach(() => {
  startReading();
  reading.useRole = "owner";
  reading.useJobs = [];
});

describe("a project's model", () => {
  it("is chosen with its cost in sight, and its progress is shown", async () => {
    const asked = serve({ "GET /api/projects/p/model": said, "PUT /api/projects/p/model": chosen });
    const { person } = show(<ModelSection projectId="p" />);
    expect(await screen.findByTestId("model-save")).toBeDisabled();
    await person.click(screen.getByTestId("model-tiny"));
    expect(screen.getByTestId("model-cost")).toHaveTextContent(
      "8 windows are encoded again in the background: about 30 s and 64 MB on disk.",
    );
    await person.click(screen.getByTestId("model-save"));
    expect(await screen.findByTestId("model-progress")).toHaveTextContent("4 of 12 windows are encoded with tiny");
    await waitFor(() => expect(asked.find((one) => one.method === "PUT")?.body).toEqual({ name: "tiny" }));
  });

  it("cannot be changed by who is no owner", async () => {
    reading.useRole = "annotator";
    serve({ "GET /api/projects/p/model": said });
    show(<ModelSection projectId="p" />);
    expect(await screen.findByTestId("model-tiny")).toBeDisabled();
    expect(screen.queryByTestId("model-save")).toBeNull();
  });

  it("says what is wrong when it cannot be used", async () => {
    const error = "This project's model, gone, cannot be used.";
    serve({ "GET /api/projects/p/model": { ...said, chosen: "gone", model: null, error } });
    show(<ModelSection projectId="p" />);
    expect(await screen.findByTestId("model-problem")).toHaveTextContent(error);
  });
});
