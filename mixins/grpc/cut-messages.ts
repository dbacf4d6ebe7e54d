// grpc-js drops the beginning of a message when the client ends its requests there: a part would be taken for all.
import { constants, type ServerHttp2Stream } from "node:http2";
import { status } from "@grpc/grpc-js";
import { refuse } from "./refuse.ts";

/** A flag, and the length of the message in 4 bytes. */
const HEAD_BYTES = 5;

/** Follows the bytes of messages one after the other. */
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

/** Refuses a call whose requests end inside a message. For a stream that grpc-js has just begun to read. */
export function refuseCutMessages(stream: ServerHttp2Stream) {
	const onEnd = stream.listeners("end").at(-1) as (() => void) | undefined;
	// It has refused the call already.
	if (!onEnd) return;
	const bounds = messageBounds();
	stream.on("data", bounds.add);
	stream.off("end", onEnd).once("end", () => {
		if (bounds.isBetweenMessages() || stream.writableEnded) return onEnd();
		if (stream.headersSent) stream.close(constants.NGHTTP2_PROTOCOL_ERROR);
		else refuse(stream, { code: status.INVALID_ARGUMENT, details: "The requests end inside a message" });
	});
}
