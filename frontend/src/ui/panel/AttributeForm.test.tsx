import { screen } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";
import type { ClassAttribute } from "../../protocol/entities";
import { show } from "../testing/show";
import { AttributeForm } from "./AttributeForm";

const schema: readonly ClassAttribute[] = [
  { key: "storeys", label: "Storeys", type: "number", required: true },
  { key: "note", label: "Note", type: "text", required: false },
  { key: "ruin", label: "In ruins", type: "boolean", required: false },
];

describe("the attributes of a shape", () => {
  it("mark what is required and missing", () => {
    show(<AttributeForm schema={schema} values={{}} readOnly={false} onCommit={vi.fn()} />);
    expect(screen.getAllByText("Needed")).toHaveLength(1);
  });

  it("are handed on when a field is left, numbers as numbers, the others kept", async () => {
    const commit = vi.fn();
    const { person } = show(
      <AttributeForm schema={schema} values={{ note: "old" }} readOnly={false} onCommit={commit} />,
    );
    await person.type(screen.getByTestId("attribute-storeys"), "3");
    expect(commit).not.toHaveBeenCalled();
    await person.tab();
    expect(commit).toHaveBeenCalledExactlyOnceWith({ note: "old", storeys: 3 });
  });

  it("lose an emptied text, and say nothing when nothing changed", async () => {
    const commit = vi.fn();
    const { person } = show(
      <AttributeForm schema={schema} values={{ note: "old" }} readOnly={false} onCommit={commit} />,
    );
    await person.click(screen.getByTestId("attribute-note"));
    await person.tab();
    expect(commit).not.toHaveBeenCalled();
    await person.clear(screen.getByTestId("attribute-note"));
    await person.tab();
    expect(commit).toHaveBeenCalledExactlyOnceWith({});
  });

  it("cannot be changed by who may not", async () => {
    const commit = vi.fn();
    const { person } = show(<AttributeForm schema={schema} values={{}} readOnly onCommit={commit} />);
    expect(screen.getByTestId("attribute-storeys")).toHaveAttribute("readonly");
    await person.click(screen.getByTestId("attribute-ruin"));
    expect(commit).not.toHaveBeenCalled();
  });
});
