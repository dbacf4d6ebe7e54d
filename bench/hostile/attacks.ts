// All attacks, in the order in which they run.
import type { Attack } from "./attack.ts";
import { idleConnections, largeOrders, logins, refusedRequests, unknownKeys, watchStreams } from "./attacks.http.ts";
import { fragments, socketIoOpenings, unknownKeyFrames } from "./attacks.sockets.ts";

export const attacks: Attack[] = [
	idleConnections,
	unknownKeys,
	unknownKeyFrames,
	fragments,
	logins,
	largeOrders,
	socketIoOpenings,
	watchStreams,
	refusedRequests
];
