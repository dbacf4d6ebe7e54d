import { fileURLToPath } from "node:url";
import { type GrpcOptions, grpc } from "../../mixins/grpc/grpc.ts";
import type { BalanceRequest } from "./wallet.contract.ts";

/** Mixin: serves the wallet's actions over gRPC, as declared in `proto/wallet.proto`. */
export const walletOverGrpc = (options: Omit<GrpcOptions, "protoFile" | "services" | "optionNames">) =>
	grpc({
		...options,
		// An id has at most 192 bytes.
		maxRequestBytes: 4 * 1024,
		optionNames: { host: "HOST", port: "GRPC_PORT", cert: "GRPC_TLS_CERT", key: "GRPC_TLS_KEY" },
		protoFile: fileURLToPath(new URL("../../proto/wallet.proto", import.meta.url)),
		services: {
			"wallet.WalletService": {
				GetBalance: (request: BalanceRequest, ctx) => ctx.call("wallet.getBalance", request),
				GetTotalSpent: (request: BalanceRequest, ctx) => ctx.call("wallet.getTotalSpent", request)
			}
		}
	});
