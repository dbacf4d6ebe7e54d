import type { ServerHttp2Stream } from "node:http2";
import type { Status } from "./status.ts";

/** Ends a call that has no answer yet with a status. */
export function refuse(stream: ServerHttp2Stream, { code, details }: Status) {
	stream.respond(
		{
			":status": 200,
			"content-type": "application/grpc+proto",
			"grpc-accept-encoding": "identity",
			"grpc-status": code,
			"grpc-message": encodeURI(details)
		},
		{ endStream: true }
	);
}
