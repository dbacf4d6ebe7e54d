import type { ThrottledLog } from "../../mixins/throttled-log.ts";
import { logNameOf } from "./client-address.ts";
import type { Connections, Release } from "./connections.ts";

/** Logs each refused connection with its client, or that the limit of the whole process is reached. Returns the function that stops the logging. */
export const logRefusals = (connections: Connections, { log }: Pick<ThrottledLog, "log">): Release =>
	connections.onRefused((address, refusal) => {
		if (refusal === "address")
			log("a client exceeds MAX_SOCKETS_PER_ADDRESS: its connection is refused", { client: logNameOf(address) });
		else log("a new connection is refused: there are as many as the limit of open files (ulimit -n) allows", {});
	});
