import { screen, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../../net/http";
import { exampleAnnotation, exampleClass } from "../../protocol/examples";
import { actions, startReading } from "../testing/project";
import { show } from "../testing/show";
import { OutlineAgain } from "./OutlineAgain";

vi.mock("../project", async () => (await import("../testing/project")).standIn());
const outlineAgain = vi.hoisted(() => vi.fn());
vi.mock("../../net/api", () => ({ api: { annotations: { outlineAgain } } }));

const annotation = exampleAnnotation();
const geometry = { type: "Polygon", coordinates: [[[7, 46], [7.001, 46], [7.001, 46.001], [7, 46]]] } as const; // prettier-ignore
const found = { geometry, vertices: 3, iou: 0.97, hausdorff_m: 1.24, source: "kept", model: "nano" };

function open() {
  const onDone = vi.fn();
  const shown = show(<OutlineAgain annotation={annotation} labelClass={exampleClass()} pixelM={0.5} onDone={onDone} />);
  return { ...shown, onDone };
}

beforeEach(() => {
  startReading();
  outlineAgain.mockReset();
});

describe("outlining a saved shape again", () => {
  it("shows what comes of its class's recipe on the map, with its vertices", async () => {
    outlineAgain.mockResolvedValue(found);
    const { unmount } = open();
    expect(await screen.findByTestId("outline-vertices")).toHaveTextContent("→ 3 vertices");
    expect(screen.getByText(/97.0 %, off by 1.2 m/)).toBeVisible();
    expect(screen.queryByText(/not kept any more/)).toBeNull();
    expect(outlineAgain).toHaveBeenCalledExactlyOnceWith(annotation.id, exampleClass().recipe, expect.anything());
    expect(actions.showOutline).toHaveBeenLastCalledWith(geometry);
    unmount();
    expect(actions.showOutline).toHaveBeenLastCalledWith(null);
  });

  it("asks again for another form, and makes it one edit of the shape", async () => {
    outlineAgain.mockResolvedValue({ ...found, source: "decoded" });
    const { person, onDone } = open();
    await screen.findByText(/nano made it anew from the clicks/);
    await person.click(screen.getByText("Right angles"));
    await waitFor(() => expect(outlineAgain).toHaveBeenCalledTimes(2));
    expect(outlineAgain.mock.calls[1]?.[1]).toMatchObject({ form: "right_angles" });
    await waitFor(() => expect(screen.getByTestId("outline-use")).toBeEnabled());
    await person.click(screen.getByTestId("outline-use"));
    expect(actions.setGeometry).toHaveBeenCalledExactlyOnceWith(annotation, geometry);
    expect(onDone).toHaveBeenCalledOnce();
  });

  it("says why there is none, and offers nothing to use", async () => {
    outlineAgain.mockRejectedValue(new ApiError("outline.not_encoded", "Encode it first.", 409, {}));
    open();
    expect(await screen.findByText("Encode it first.")).toBeVisible();
    expect(screen.getByTestId("outline-use")).toBeDisabled();
    expect(actions.setGeometry).not.toHaveBeenCalled();
  });
});
