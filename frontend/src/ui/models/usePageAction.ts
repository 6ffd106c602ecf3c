/** One thing that the page of models has the server do; the page is read again afterwards. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { notifyError } from "../errors";
import { keys } from "../query";

export function usePageAction<Arguments = void>(act: (given: Arguments) => Promise<unknown>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onError: notifyError,
    onSettled: () => client.invalidateQueries({ queryKey: keys.models }),
  });
}
