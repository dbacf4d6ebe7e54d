// A first version of GetBalance: a bare grpc-js handler that reads Redis.
import { join } from "node:path";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { Redis } from "ioredis";

const definition = loadSync(join(import.meta.dirname, "../../proto/wallet.proto"), { keepCase: true });
const { wallet } = grpc.loadPackageDefinition(definition) as unknown as {
	wallet: { WalletService: grpc.ServiceClientConstructor };
};
const redis = new Redis(process.env.REDIS_URL!);

const server = new grpc.Server();
server.addService(wallet.WalletService.service, {
	GetBalance({ request }: { request: { user_id: string } }, answer: grpc.sendUnaryData<unknown>) {
		redis.get(`baseline:${request.user_id}`).then(
			total => answer(null, { balances: { total: Number(total ?? 0) } }),
			error => answer({ code: grpc.status.UNAVAILABLE, details: error.message })
		);
	}
});
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
	if (error) throw error;
	process.send!(port);
});
