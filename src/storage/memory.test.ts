import { MemoryStore } from "./memory.ts";
import { storageContract } from "./suite.ts";

storageContract("memory", async () => new MemoryStore());
