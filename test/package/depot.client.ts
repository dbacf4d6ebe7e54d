// A gRPC client of the application.
import { join } from "node:path";
import { credentials, type GrpcObject, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

/** A bound, and never what decides on a slow machine. */
const CALL_MS = 30_000;

export type DepotClient = ReturnType<typeof depotClient>;

export function depotClient(address: string, folder: string) {
	const proto = loadSync(join(folder, "depot.proto"), { keepCase: true, defaults: true, longs: String });
	const { depot } = loadPackageDefinition(proto) as { depot: GrpcObject };
	const Depot = depot.Depot as ServiceClientConstructor;
	const client = new Depot(address, credentials.createInsecure());
	const options = () => ({ deadline: Date.now() + CALL_MS });

	const call = <Answer>(method: string, request: object) =>
		new Promise<Answer>((resolve, reject) => {
			client[method]!(request, options(), (error: Error | null, answer: Answer) => (error ? reject(error) : resolve(answer)));
		});

	return {
		accept: (parcel: object) => call<{ id: string; is_new: boolean }>("Accept", parcel),
		bill: (name: string) => call<{ parcels: number; total_grams: string }>("Bill", { name }),
		settled: async () => (await call<{ settled: boolean }>("Settled", {})).settled,
		async charges(name: string) {
			const charges: object[] = [];
			for await (const charge of client.Charges!({ name }, options()) as AsyncIterable<object>) charges.push(charge);
			return charges;
		},
		close: () => client.close()
	};
}
