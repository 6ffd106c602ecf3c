/** Resumable uploads of the page: they go on while the user looks at other screens. */
import { notifications } from "@mantine/notifications";
import { useCallback, useSyncExternalStore } from "react";
import { Upload } from "tus-js-client";
import { i18n } from "../../i18n";
import { csrfToken } from "../../net/http";
import { errorText, notifyError } from "../errors";
import { pairFiles, Speedometer } from "./uploadRules";
import { tusRefusal } from "./tusRefusal";

const CHUNK_BYTES = 8 * 1024 * 1024;

export interface UploadItem {
  readonly key: string;
  readonly projectId: string;
  readonly name: string;
  readonly size: number;
  readonly sent: number;
  readonly secondsLeft: number | null;
  readonly state: "sending" | "paused" | "failed";
  readonly rasterId: string | null;
  readonly error: string | null;
}

let items: readonly UploadItem[] = [];
const listeners = new Set<() => void>();
const running = new Map<string, Upload>();
let counter = 0;

export function useUploads(projectId: string) {
  const all = useSyncExternalStore(subscribe, () => items);
  const add = useCallback((files: readonly File[]) => addFiles(projectId, files), [projectId]);
  return { list: all.filter((item) => item.projectId === projectId), add, pause, resume, cancel };
}

/** Uploads a world file, .prj or .aux.xml for a raster that is already there. */
export function uploadSidecar(projectId: string, rasterId: string, file: File): Promise<void> {
  return new Promise((resolve, reject) => {
    const upload = new Upload(file, {
      ...options(projectId),
      metadata: { filename: file.name, sidecar_for: rasterId },
      onSuccess: () => resolve(),
      onError: (error) => reject(tusRefusal(error)),
    });
    upload.start();
  });
}

function addFiles(projectId: string, files: readonly File[]): void {
  const { rasters, looseSidecars, others } = pairFiles(files);
  for (const { file, sidecars } of rasters) void begin(projectId, file, sidecars);
  const refused = [...others, ...looseSidecars].map((file) => file.name);
  if (refused.length > 0) {
    notifications.show({
      color: "orange",
      title: i18n.t("upload.notTaken", { files: refused.join(", ") }),
      message: i18n.t(others.length > 0 ? "upload.notTakenOther" : "upload.notTakenSidecar"),
      autoClose: 10_000,
    });
  }
}

async function begin(projectId: string, file: File, sidecars: readonly File[]): Promise<void> {
  counter += 1;
  const key = `upload-${counter}`;
  const speed = new Speedometer();
  items = [
    ...items,
    {
      key,
      projectId,
      name: file.name,
      size: file.size,
      sent: 0,
      secondsLeft: null,
      state: "sending",
      rasterId: null,
      error: null,
    },
  ];
  changed();
  const upload = new Upload(file, {
    ...options(projectId),
    metadata: { filename: file.name },
    onAfterResponse: (_request, response) => {
      // Only the answer that made the upload names its raster; an absent header is null, whatever the types say.
      const rasterId = response.getHeader("Upload-Raster") ?? "";
      if (rasterId === "" || find(key)?.rasterId === rasterId) return;
      set(key, { rasterId });
      for (const sidecar of sidecars) uploadSidecar(projectId, rasterId, sidecar).catch(notifyError);
    },
    onProgress: (sent) => {
      const now = performance.now();
      speed.add(sent, now);
      set(key, { sent, secondsLeft: speed.secondsFor(file.size - sent) });
    },
    onSuccess: () => forget(key),
    onError: (error) => set(key, { state: "failed", error: errorText(tusRefusal(error)), secondsLeft: null }),
  });
  running.set(key, upload);
  // A file that was begun earlier, in this browser, goes on where it stopped.
  const earlier = await upload.findPreviousUploads().catch(() => []);
  const same = earlier.find((one) => one.metadata["filename"] === file.name);
  if (same !== undefined) upload.resumeFromPreviousUpload(same);
  upload.start();
}

function options(projectId: string) {
  return {
    endpoint: `/api/projects/${projectId}/uploads`,
    chunkSize: CHUNK_BYTES,
    retryDelays: [500, 1500, 4000, 10_000, 20_000],
    removeFingerprintOnSuccess: true,
    fingerprint: (file: unknown) =>
      file instanceof File
        ? Promise.resolve(["edgewise", projectId, file.name, file.size, file.lastModified].join("-"))
        : Promise.reject(new Error("Only files are uploaded.")),
    onBeforeRequest: (request: { setHeader: (name: string, value: string) => void }) => {
      request.setHeader("X-CSRFToken", csrfToken());
    },
  };
}

function pause(key: string): void {
  void running.get(key)?.abort();
  set(key, { state: "paused", secondsLeft: null });
}

function resume(key: string): void {
  set(key, { state: "sending", error: null });
  running.get(key)?.start();
}

function cancel(key: string): void {
  running
    .get(key)
    ?.abort(true)
    .catch((error: unknown) => notifyError(tusRefusal(error)));
  forget(key);
}

function find(key: string): UploadItem | undefined {
  return items.find((item) => item.key === key);
}

function set(key: string, change: Partial<UploadItem>): void {
  items = items.map((item) => (item.key === key ? { ...item, ...change } : item));
  changed();
}

function forget(key: string): void {
  running.delete(key);
  items = items.filter((item) => item.key !== key);
  changed();
}

function changed(): void {
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
