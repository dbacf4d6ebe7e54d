export type { GrpcContext } from "../grpc/context.ts";
export type { OptionNames, TlsFiles } from "../grpc/credentials.ts";
export { type GrpcOptions, grpc } from "../grpc/grpc.ts";
export type { GrpcHandler } from "../grpc/method.ts";
