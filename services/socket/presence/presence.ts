// The port between the sockets and whatever knows on which nodes a room has any.

export interface Presence {
	/** Sockets of a room are here now. Resolves once a message for the room finds this node. */
	join(room: string): Promise<void>;
	/** The last one has gone. */
	leave(room: string): void;
	/** For each room the nodes that may hold sockets of it. A node that is not known to keep its entries up to date is among them. */
	nodesOf(rooms: string[]): Promise<Map<string, string[]>>;
	/** Whether a node that has not answered for so long can still be expected to. */
	isExpected(nodeID: string, silentMs: number): Promise<boolean>;
	start(): void;
	stop(): Promise<void>;
}

/** One process: every room is here. */
export const localPresence = (nodeID: string): Presence => ({
	join: async () => {},
	leave() {},
	nodesOf: async rooms => new Map(rooms.map(room => [room, [nodeID]])),
	isExpected: async () => true,
	start() {},
	stop: async () => {}
});
