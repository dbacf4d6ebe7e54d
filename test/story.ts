import { it } from "node:test";
import { comingAgain } from "./client.socket.ts";

/** A test that sockets take part in. It is told again where a server asked one of them to come again, so it must make its own ids. */
export const story = (name: string, tell: () => Promise<void>) => it(name, () => comingAgain(tell));
