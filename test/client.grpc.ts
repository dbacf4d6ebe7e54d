// A gRPC client for the wallet service and the health check.
import { fileURLToPath } from "node:url";
import {
	Client,
	credentials,
	type GrpcObject,
	loadPackageDefinition,
	Metadata,
	makeClientConstructor,
	type ServiceClientConstructor,
	type ServiceError,
	status
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { service as healthDefinition } from "grpc-health-check";
import { WAIT_MS } from "./client.ts";

const walletProto = fileURLToPath(new URL("../proto/wallet.proto", import.meta.url));

const asBytes = (bytes: Buffer) => bytes;

type Unary = (
	request: object,
	metadata: Metadata,
	options: { deadline: number },
	done: (error: ServiceError | null, answer: unknown) => void
) => void;

/** Opens a client. Its methods reject with grpc-js's errors, whose `code` is the gRPC status. */
export function grpcClient(address: string, token?: string) {
	const loaded = loadPackageDefinition(loadSync(walletProto, { keepCase: true, defaults: true }));
	const Wallet = (loaded.wallet as GrpcObject).WalletService as ServiceClientConstructor;
	const Health = makeClientConstructor(healthDefinition, "Health");
	const wallet = new Wallet(address, credentials.createInsecure());
	const health = new Health(address, credentials.createInsecure());
	const metadata = new Metadata();
	if (token) metadata.set("authorization", `Bearer ${token}`);

	const call = (client: typeof wallet, method: string, request: object) =>
		new Promise<unknown>((resolve, reject) => {
			const call = (client as unknown as Record<string, Unary>)[method] as Unary;
			call.call(client, request, metadata, { deadline: Date.now() + WAIT_MS }, (error, answer) =>
				error ? reject(error) : resolve(answer)
			);
		});
	return {
		getBalance: (user_id: string) => call(wallet, "GetBalance", { user_id }),
		getTotalSpent: (user_id: string) => call(wallet, "GetTotalSpent", { user_id }),
		check: (service: string) => call(health, "Check", { service }),
		/** Sends these bytes as the request of a wallet method, and resolves to those of the answer. */
		sendBytes: (method: string, request: Buffer, deadline = Date.now() + WAIT_MS) =>
			new Promise<Buffer | undefined>((resolve, reject) => {
				const path = `/wallet.WalletService/${method}`;
				wallet.makeUnaryRequest(path, asBytes, asBytes, request, metadata, { deadline }, (error, answer) =>
					error ? reject(error) : resolve(answer)
				);
			}),
		close() {
			wallet.close();
			health.close();
		}
	};
}

/**
 * Sends one empty message to a method of any kind (on the wire unary and streaming calls are the same). Resolves to the status that ends the call,
 * or to undefined if a response arrives first.
 */
export function callEmpty(address: string, method: string, token?: string): Promise<number | undefined> {
	const client = new Client(address, credentials.createInsecure());
	const metadata = new Metadata();
	if (token) metadata.set("authorization", `Bearer ${token}`);
	const outcome = new Promise<number | undefined>((resolve, reject) => {
		const call = client.makeBidiStreamRequest(`/${method}`, asBytes, asBytes, metadata, { deadline: Date.now() + WAIT_MS });
		// The "status" event reports the same failure.
		call.on("error", () => {});
		call.on("status", ({ code }) =>
			code === status.DEADLINE_EXCEEDED ? reject(new Error(`no answer to ${method} within ${WAIT_MS} ms`)) : resolve(code)
		);
		call.on("data", () => {
			resolve(undefined);
			// A streaming method may respond until the call is cancelled.
			call.cancel();
		});
		call.end(Buffer.alloc(0));
	});
	return outcome.finally(() => client.close());
}
