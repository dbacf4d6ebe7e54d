// All that the rest of the system may know about sockets. Which topic reaches whose sockets is said by the topic's own contract.
import { z } from "zod";
import { action, Id } from "../../define.ts";

export const Shown = z.strictObject({ key: z.string(), version: z.number() });

/** One message for all sockets of one user. */
export const Delivery = z.strictObject({
	topic: z.string(),
	user: Id,
	message: z.unknown(),
	headers: z.record(z.string(), z.string())
});

export const actions = {
	/** Hands messages to the sockets of one node. For the node that consumed them alone: no door leads here from outside. */
	"socket.deliver": action({ params: z.strictObject({ deliveries: z.array(Delivery) }), result: z.null() })
};

export const topics = {};

export type Delivery = z.output<typeof Delivery>;
