const pageSize = 500;

/** Every item of a list, page by page; `ask` gets `limit=…&offset=…`. */
export async function listAll<T>(ask: (query: string) => Promise<T[]>): Promise<T[]> {
  const items: T[] = [];
  for (;;) {
    const page = await ask(`limit=${pageSize}&offset=${items.length}`);
    items.push(...page);
    if (page.length < pageSize) return items;
  }
}
