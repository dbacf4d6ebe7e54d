// grpc-js silently drops an incomplete last message when the client ends its requests: the handler would miss a part of them.
import { constants, type ServerHttp2Stream } from "node:http2";
import { status } from "@grpc/grpc-js";
import { refuse } from "./refuse.ts";

/** The head of a message: a flag, and the length of the message in 4 bytes. */
const HEAD_BYTES = 5;

/** Finds the bounds of consecutive messages in a stream of bytes. */
function messageBounds() {
	let headBytes = 0;
	let length = 0;
	let leftBytes = 0;
	return {
		add(chunk: Buffer) {
			for (let at = 0; at < chunk.length; ) {
				if (leftBytes > 0) {
					const taken = Math.min(leftBytes, chunk.length - at);
					leftBytes -= taken;
					at += taken;
					continue;
				}
				length = headBytes === 0 ? 0 : length * 256 + (chunk[at] ?? 0);
				at++;
				if (++headBytes < HEAD_BYTES) continue;
				headBytes = 0;
				leftBytes = length;
			}
		},
		isBetweenMessages: () => headBytes === 0 && leftBytes === 0
	};
}

/** Refuses a call whose requests end inside a message. Call it when grpc-js has just begun to read the stream. */
export function refuseCutMessages(stream: ServerHttp2Stream) {
	const onEnd = stream.listeners("end").at(-1) as (() => void) | undefined;
	// grpc-js has refused the call already.
	if (!onEnd) return;
	const bounds = messageBounds();
	stream.on("data", bounds.add);
	stream.off("end", onEnd).once("end", () => {
		if (bounds.isBetweenMessages() || stream.writableEnded) return onEnd();
		if (stream.headersSent) stream.close(constants.NGHTTP2_PROTOCOL_ERROR);
		else refuse(stream, { code: status.INVALID_ARGUMENT, details: "The requests end inside a message" });
	});
}
