// The port to the presence store, which knows the nodes on which a room has members.

/** What presence needs of the sockets of this node. */
export interface PresenceSource {
	/** The rooms that have members here: registered again when the store has lost them. */
	rooms: () => Iterable<string>;
	/** Called when other nodes may have treated this node as dead, because it was frozen or disconnected for longer than its lease: its clients have missed messages. */
	onExpired: () => void;
}

export interface Presence {
	/** The room has members here. Resolves once messages for the room reach this node. */
	join(room: string): Promise<void>;
	/** The room has no members here any more. */
	leave(room: string): void;
	/** The nodes that may have members of each room, among them every node that is not known to be registered. */
	nodesOf(rooms: string[]): Promise<Map<string, string[]>>;
	/** Whether a node that has not answered for so long can still be expected to answer. */
	isExpected(nodeID: string, silentMs: number): Promise<boolean>;
	start(source: PresenceSource): void;
	stop(): Promise<void>;
}

/** For a single process: every room is on this node. */
export const localPresence = (nodeID: string): Presence => ({
	join: async () => {},
	leave() {},
	nodesOf: async rooms => new Map(rooms.map(room => [room, [nodeID]])),
	isExpected: async () => true,
	start() {},
	stop: async () => {}
});
