// A screen that shows a seat map live: it subscribes over Socket.IO, applies the changes, and subscribes again on every new connection.
import { io, type Socket } from "socket.io-client";
import type { SeatMap, SeatStatus } from "./client.seats.ts";

export interface SeatScreen {
	/** Seat → status, as shown. */
	readonly statuses: Record<string, SeatStatus>;
	/** The version that it shows; undefined until the first snapshot. */
	readonly version: number | undefined;
	/** Versions that were skipped, came twice or came before the snapshot, within one connection. */
	readonly problems: string[];
	/** Why it was last not connected or subscribed; it tries again. */
	readonly refusal: string | undefined;
	/** How many changes it has received. */
	readonly changes: number;
	close(): void;
}

const RETRY_AFTER_MS = 250;

interface Acknowledgement {
	ok: boolean;
	seats?: SeatMap;
}
type Change = Pick<SeatMap, "showId" | "version"> & { seats: { seat: string; status: SeatStatus }[] };

/** Opens a screen, and keeps it connected until it is closed. */
export function openSeatScreen(url: string, token: string, showId: string): SeatScreen {
	let statuses: Record<string, SeatStatus> = {};
	let version: number | undefined;
	let changes = 0;
	let refusal: string | undefined;
	let isClosed = false;
	const problems: string[] = [];
	const socket: Socket = io(url, { auth: { token }, transports: ["websocket"], forceNew: true, reconnectionDelayMax: 1_000 });

	const show = (seats: readonly { seat: string; status: SeatStatus }[]) => {
		for (const { seat, status } of seats) statuses[seat] = status;
	};
	const subscribe = () => {
		const { id } = socket;
		// A callback, not a promise: a change that arrives in the same read must find the snapshot.
		socket.emit("subscribe:seats", { showId }, (answer: Acknowledgement) => {
			if (!answer.ok || !answer.seats) {
				refusal = JSON.stringify(answer);
				setTimeout(() => socket.id === id && subscribe(), RETRY_AFTER_MS);
				return;
			}
			statuses = {};
			show(answer.seats.seats);
			version = answer.seats.version;
		});
	};
	socket.on("connect", () => {
		version = undefined;
		subscribe();
	});
	// The client reconnects by itself only if the connection was lost, not if the server has refused or closed it.
	const reconnect = (reason: string) => {
		refusal = reason;
		if (!socket.active && !isClosed) setTimeout(() => isClosed || socket.connect(), RETRY_AFTER_MS);
	};
	socket.on("connect_error", ({ message }) => reconnect(message));
	socket.on("disconnect", reconnect);
	socket.on("seats:updated", (change: Change) => {
		if (change.showId !== showId) return problems.push(`a change of ${change.showId}`);
		if (version === undefined) return problems.push(`version ${change.version} came before the snapshot`);
		if (change.version !== version + 1) problems.push(`version ${change.version} followed ${version}`);
		show(change.seats);
		version = change.version;
		changes++;
	});
	return {
		get statuses() {
			return statuses;
		},
		get version() {
			return version;
		},
		get changes() {
			return changes;
		},
		get refusal() {
			return refusal;
		},
		problems,
		close() {
			isClosed = true;
			socket.disconnect();
		}
	};
}
