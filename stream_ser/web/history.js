// What the server has stored of calls, and what is told to it: requests, each with its answer or the reason why not.

/** Ask for a path below /v1 of the server with a query; gives what JSON says. Raises Error with words for people. */
export async function ask(link, path, query = {}, method = "GET") {
  return (await link.request(path, query, method)).json();
}

/** Save a stream of a call as a file of the format `to`. Raises Error with words for people. */
export async function save(link, call, run, stream, to) {
  const answer = await link.request(`calls/${encodeURIComponent(call)}/export`, { run, stream, to });
  const [, name] = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") ?? "") ?? [];
  const address = URL.createObjectURL(await answer.blob());
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.download = name ?? `${stream}.${to}`;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Say that somebody has seen an alert. Raises Error with words for people. */
export async function acknowledge(link, stream, alert, by) {
  return ask(link, "acknowledge", { stream, alert, by }, "POST");
}
