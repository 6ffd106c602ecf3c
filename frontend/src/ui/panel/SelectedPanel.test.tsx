import { screen } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Annotation } from "../../protocol/entities";
import type { Role } from "../../protocol/rest";
import { exampleAnnotation, exampleClass, exampleUser } from "../../protocol/examples";
import { actions, reading, startReading } from "../testing/project";
import { show } from "../testing/show";
import { SelectedPanel } from "./SelectedPanel";

vi.mock("../project", async () => (await import("../testing/project")).standIn());

function open(annotation: Annotation | null, role: Role = "reviewer") {
  Object.assign(reading, {
    useSelected: annotation,
    useRole: role,
    useClasses: [exampleClass(), exampleClass({ id: "c2", name: "Field" })],
    useRasters: [],
  });
  return show(<SelectedPanel />);
}

beforeEach(startReading);

describe("the selected shape", () => {
  it("is missed politely", () => {
    open(null);
    expect(screen.getByTestId("selected-none")).toHaveTextContent("Nothing selected");
  });

  it("is accepted by a reviewer who did not make it", async () => {
    const { person } = open(exampleAnnotation());
    await person.click(screen.getByTestId("action-accept"));
    expect(actions.setStatus).toHaveBeenCalledExactlyOnceWith(exampleAnnotation().id, "accepted");
  });

  it("is returned with a reason", async () => {
    const { person } = open(exampleAnnotation());
    await person.click(screen.getByTestId("action-return"));
    await screen.findByTestId("return-form");
    await person.keyboard("8");
    expect(actions.setStatus).toHaveBeenCalledExactlyOnceWith(
      exampleAnnotation().id,
      "changes_requested",
      "Nothing is there",
    );
  });

  it("cannot be accepted by its author, who is told why and may take it back", () => {
    const { id, display_name, colour } = exampleUser();
    open(exampleAnnotation({ author: { id, display_name, colour } }));
    expect(screen.queryByTestId("action-accept")).toBeNull();
    expect(screen.getByText(/another reviewer accepts it/)).toBeVisible();
    expect(screen.getByTestId("action-take-back")).toBeEnabled();
  });

  it("offers a viewer nothing to change", () => {
    open(exampleAnnotation({ status: "draft" }), "viewer");
    for (const name of ["submit", "accept", "return", "delete", "take-back"]) {
      expect(screen.queryByTestId(`action-${name}`)).toBeNull();
    }
  });
});
