// A first version of accepting picks, and nothing else.
import type { AddressInfo } from "node:net";
import { acceptPicks } from "./accept-picks.ts";
import { openProducer } from "./kafka.ts";

const server = acceptPicks(await openProducer(), process.env.TOPIC!);
server.listen(0, "127.0.0.1", () => process.send!((server.address() as AddressInfo).port));
