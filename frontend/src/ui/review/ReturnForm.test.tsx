import { screen } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";
import { show } from "../testing/show";
import { ReturnForm } from "./ReturnForm";

describe("returning a shape", () => {
  it("takes a reason by its number alone", async () => {
    const onReturn = vi.fn();
    const { person } = show(<ReturnForm onReturn={onReturn} />);
    await person.click(screen.getByTestId("action-return"));
    await screen.findByTestId("return-form");
    await person.keyboard("4");
    expect(onReturn).toHaveBeenCalledExactlyOnceWith("Wrong class");
  });

  it("takes digits as text inside the comment, and sends it", async () => {
    const onReturn = vi.fn();
    const { person } = show(<ReturnForm onReturn={onReturn} />);
    await person.click(screen.getByTestId("action-return"));
    await person.type(await screen.findByTestId("return-comment"), "4 roofs");
    expect(onReturn).not.toHaveBeenCalled();
    await person.click(screen.getByTestId("return-submit"));
    expect(onReturn).toHaveBeenCalledExactlyOnceWith("4 roofs");
  });

  it("needs a reason or words", async () => {
    const { person } = show(<ReturnForm onReturn={vi.fn()} />);
    await person.click(screen.getByTestId("action-return"));
    expect(await screen.findByTestId("return-submit")).toBeDisabled();
  });
});
