/** Where a Block Storage version answers, as the client sees it: absolute, so that clients which follow links stay in the dialect. */
export interface BlockStorageBase {
  /** With the version segment, such as `http://host/volume/v3`. */
  versioned: string;
  /** Without it, such as `http://host/volume`. */
  bare: string;
}

export interface Link {
  href: string;
  rel: "self" | "bookmark" | "next";
}

/** `self` names the version, `bookmark` does not. */
export function resourceLinks(base: BlockStorageBase, projectId: string, collection: string, id: string): Link[] {
  const tail = `/${projectId}/${collection}/${id}`;
  return [
    { href: base.versioned + tail, rel: "self" },
    { href: base.bare + tail, rel: "bookmark" },
  ];
}

/** The link to the page after this one: the same query with the last item as marker. */
export function nextLink(base: BlockStorageBase, projectId: string, path: string, query: Readonly<Record<string, unknown>>, marker: string): Link {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (name === "marker" || name === "offset" || value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) parameters.append(name, String(one));
  }
  parameters.append("marker", marker);
  return { href: `${base.versioned}/${projectId}/${path}?${parameters.toString()}`, rel: "next" };
}
