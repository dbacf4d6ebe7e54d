export type { GrpcHandler } from "../grpc/answer.ts";
export type { TlsFiles } from "../grpc/credentials.ts";
export { type GrpcOptions, grpc } from "../grpc/grpc.ts";
