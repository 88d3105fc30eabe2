// SPDX-License-Identifier: Apache-2.0
import {run_folder, sh} from './machine.mjs';

/// A self-signed certificate made for this run; `fingerprint` is as OpenVPN's peer-fingerprint wants it.
export function make_certificate(name, alternatives = []) {
  const [key, cert] = [`${run_folder}/${name}.key`, `${run_folder}/${name}.crt`];
  const extra = alternatives.length ? ['-addext', `subjectAltName=${alternatives.join(',')}`] : [];
  sh('client', ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
                '-days', '30', '-subj', `/CN=${name}`, '-keyout', key, '-out', cert, ...extra]);
  const line = sh('client', ['openssl', 'x509', '-in', cert, '-noout', '-fingerprint', '-sha256']);
  return {key, cert, fingerprint: line.trim().split('=')[1]};
}
