/**
 * Imported before anything else (node --import), it puts a tripwire in the place of everything in Node that opens a socket,
 * asks for a name or starts another program. What is touched throws, and is noted in `globalThis.touched`.
 */
import child_process from 'node:child_process';
import dgram from 'node:dgram';
import dns from 'node:dns';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import tls from 'node:tls';

const touched: string[] = [];
Object.assign(globalThis, { touched });

/** Replaces every function of an object; the names that `only` lists, if it does. */
function guard(name: string, object: object, only?: readonly string[]): void {
  for (const key of only ?? Object.keys(object)) {
    const value = (object as Record<string, unknown>)[key];
    if (typeof value !== 'function' || /^[A-Z]/.test(key)) continue;
    (object as Record<string, unknown>)[key] = () => {
      touched.push(`${name}.${key}`);
      throw new Error(`${name}.${key} was called`);
    };
  }
}

guard('net.Socket.prototype', net.Socket.prototype, ['connect']);
guard('net.Server.prototype', net.Server.prototype, ['listen']);
guard('net', net, ['connect', 'createConnection', 'createServer']);
guard('tls', tls, ['connect', 'createServer']);
guard('dgram', dgram, ['createSocket']);
guard('dns', dns);
guard('dns.promises', dns.promises);
guard('http', http, ['request', 'get', 'createServer']);
guard('https', https, ['request', 'get', 'createServer']);
guard('http2', http2, ['connect', 'createServer', 'createSecureServer']);
guard('child_process', child_process);
guard('globalThis', globalThis, ['fetch']);
Object.assign(globalThis, { WebSocket: undefined, EventSource: undefined });
syncBuiltinESMExports();
