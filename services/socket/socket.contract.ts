// The contract of the socket service. Which topic reaches which clients is declared by the topics' own contracts.
import { z } from "zod";
import { action } from "../../contract/action.ts";

/** One message of a topic for the connections in one room. */
export const RoomMessage = z.strictObject({
	topic: z.string(),
	room: z.string(),
	indexes: z.array(z.int()).describe("Which of the topic's deliveries, by their index in the contract"),
	message: z.unknown(),
	headers: z.record(z.string(), z.string())
});

export const actions = {
	/**
	 * Delivers messages to the connections of one node. `missed`: earlier messages did not reach this node, so all its clients must reconnect.
	 * Called by the node that consumed the messages; it has no route.
	 */
	"socket.deliver": action({
		params: z.strictObject({ deliveries: z.array(RoomMessage), missed: z.boolean() }),
		result: z.null()
	})
};

export const topics = {};

export type RoomMessage = z.output<typeof RoomMessage>;
