/** "3 min ago", kept current, with the exact time on hover. */
import { Tooltip } from "@mantine/core";
import { useEffect, useState } from "react";
import { formatAgo, formatExactTime } from "../format";

export function RelativeTime({ iso }: { readonly iso: string }) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 30_000);
    return () => clearInterval(timer);
  }, []);
  return (
    <Tooltip label={formatExactTime(iso)}>
      <time dateTime={iso}>{formatAgo(iso, Math.max(now, Date.parse(iso)))}</time>
    </Tooltip>
  );
}
