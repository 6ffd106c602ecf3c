/** The page's style nonce, which the server writes into index.html for each request. */

export function cspNonce(): string {
  return document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? "";
}
