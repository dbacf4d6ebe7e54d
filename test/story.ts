import { it } from "node:test";
import { withReconnect } from "./client.socket.ts";

/** A test that uses sockets. It is repeated if a server asked one of its sockets to reconnect, so it must create its own ids. */
export const story = (name: string, run: () => Promise<void>) => it(name, () => withReconnect(run));
