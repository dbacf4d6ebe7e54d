// All that the rest of the system may know about sockets. Which topic reaches whose sockets is said by the topic's own contract.
import { z } from "zod";
import { action } from "../../contract/action.ts";

/** One message for the sockets of one room. */
export const Delivery = z.strictObject({
	topic: z.string(),
	room: z.string(),
	message: z.unknown(),
	headers: z.record(z.string(), z.string())
});

export const actions = {
	/**
	 * Hands messages to the sockets of one node; `missed`: some before these did not reach it, so its sockets must come anew.
	 * For the node that consumed the messages alone: no door leads here from outside.
	 */
	"socket.deliver": action({ params: z.strictObject({ deliveries: z.array(Delivery), missed: z.boolean() }), result: z.null() })
};

export const topics = {};

export type Delivery = z.output<typeof Delivery>;
