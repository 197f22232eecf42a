{{/* Stand-in: the environment of web and worker, from the values that the official chart has for it. */}}

{{- define "stand-in.literals" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "stand-in.optional" -}}
{{- range $name, $value := . }}
{{- if $value }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "stand-in.references" -}}
{{- range $name, $from := . }}
{{- if and $from.secretKeyRef.name $from.secretKeyRef.key }}
{{- if $from.value }}
{{- fail (printf "%s has a value and a reference" $name) }}
{{- end }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef: {{ $from.secretKeyRef | toJson }}
{{- else if $from.value }}
- name: {{ $name }}
  value: {{ $from.value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "stand-in.application" -}}
{{- $own := .Values.langfuse }}
{{- include "stand-in.literals" (dict
  "NODE_ENV" $own.nodeEnv
  "LANGFUSE_LOG_LEVEL" $own.logging.level
  "LANGFUSE_LOG_FORMAT" $own.logging.format
  "TELEMETRY_ENABLED" $own.features.telemetryEnabled
  "AUTH_DISABLE_SIGNUP" $own.features.signUpDisabled
  "ENABLE_EXPERIMENTAL_FEATURES" $own.features.experimentalFeaturesEnabled
  "NEXTAUTH_URL" $own.nextauth.url
) }}
{{- range $name, $from := dict "langfuse.salt" $own.salt "langfuse.encryptionKey" $own.encryptionKey "langfuse.nextauth.secret" $own.nextauth.secret }}
{{- if not (or $from.value (and $from.secretKeyRef.name $from.secretKeyRef.key)) }}
{{- fail (printf "%s is not given, so every offline render would draw another one" $name) }}
{{- end }}
{{- end }}
{{- include "stand-in.references" (dict
  "SALT" $own.salt
  "ENCRYPTION_KEY" $own.encryptionKey
  "NEXTAUTH_SECRET" $own.nextauth.secret
  "LANGFUSE_EE_LICENSE_KEY" $own.licenseKey
) }}
{{- if $own.smtp.connectionUrl }}
{{- include "stand-in.literals" (dict "SMTP_CONNECTION_URL" $own.smtp.connectionUrl "EMAIL_FROM_ADDRESS" $own.smtp.fromAddress) }}
{{- end }}
{{- end }}

{{/* Beside DATABASE_URL the official chart leaves out the parts of an address, also where that is a reference. */}}
{{- define "stand-in.postgres" -}}
{{- $store := .Values.postgresql }}
{{- $whole := false }}
{{- range .Values.langfuse.additionalEnv }}
{{- if eq .name "DATABASE_URL" }}
{{- $whole = true }}
{{- end }}
{{- end }}
{{- if not $whole }}
{{- include "stand-in.literals" (dict
  "DATABASE_HOST" (required "postgresql.host is required" $store.host)
  "DATABASE_USERNAME" $store.auth.username
) }}
- name: DATABASE_PASSWORD
  valueFrom:
    secretKeyRef: {{ dict "name" (required "postgresql.auth.existingSecret is required" $store.auth.existingSecret) "key" $store.auth.secretKeys.userPasswordKey | toJson }}
{{- end }}
{{- include "stand-in.literals" (dict
  "DATABASE_NAME" $store.auth.database
  "LANGFUSE_AUTO_POSTGRES_MIGRATION_DISABLED" (not $store.migration.autoMigrate)
) }}
{{- include "stand-in.optional" (dict "DATABASE_PORT" $store.port "DATABASE_ARGS" $store.args "DIRECT_URL" $store.directUrl) }}
{{- end }}

{{- define "stand-in.redis" -}}
{{- $store := .Values.redis }}
{{- $host := required "redis.host is required" $store.host }}
{{- $login := $store.auth.username }}
{{- if $store.auth.existingSecret }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef: {{ dict "name" $store.auth.existingSecret "key" $store.auth.existingSecretPasswordKey | toJson }}
{{- $login = printf "%s:$(REDIS_PASSWORD)" $login }}
{{- end }}
{{- $scheme := ternary "rediss" "redis" $store.tls.enabled }}
{{- include "stand-in.literals" (dict
  "REDIS_TLS_ENABLED" $store.tls.enabled
  "REDIS_CONNECTION_STRING" (printf "%s://%s@%s:%v/%v" $scheme $login $host $store.port $store.auth.database)
) }}
{{- end }}

{{- define "stand-in.clickhouse" -}}
{{- $store := .Values.clickhouse }}
{{- $host := required "clickhouse.host is required" $store.host }}
{{- $scheme := ternary "https" "http" (hasPrefix "https://" $host) }}
{{- $name := regexReplaceAll "^https?://" $host "" }}
{{- include "stand-in.literals" (dict
  "CLICKHOUSE_URL" (printf "%s://%s:%v" $scheme $name $store.httpPort)
  "CLICKHOUSE_MIGRATION_URL" ($store.migration.url | default (printf "clickhouse://%s:%v" $name $store.nativePort))
  "CLICKHOUSE_MIGRATION_SSL" $store.migration.ssl
  "CLICKHOUSE_DB" $store.database
  "CLICKHOUSE_USER" $store.auth.username
  "CLICKHOUSE_CLUSTER_ENABLED" $store.cluster.enabled
  "LANGFUSE_AUTO_CLICKHOUSE_MIGRATION_DISABLED" (not $store.migration.autoMigrate)
) }}
- name: CLICKHOUSE_PASSWORD
  valueFrom:
    secretKeyRef: {{ dict "name" (required "clickhouse.auth.existingSecret is required" $store.auth.existingSecret) "key" $store.auth.existingSecretKey | toJson }}
{{- end }}

{{- define "stand-in.storage" -}}
{{- $store := .Values.s3 }}
{{- $provider := dict "azure" "LANGFUSE_USE_AZURE_BLOB" "gcs" "LANGFUSE_USE_GOOGLE_CLOUD_STORAGE" }}
{{- with get $provider $store.storageProvider }}
{{- include "stand-in.literals" (dict . "true") }}
{{- end }}
{{- if eq $store.storageProvider "gcs" }}
{{- include "stand-in.references" (dict "LANGFUSE_GOOGLE_CLOUD_STORAGE_CREDENTIALS" $store.gcs.credentials) }}
{{- end }}
{{- include "stand-in.literals" (dict
  "LANGFUSE_S3_BATCH_EXPORT_ENABLED" $store.batchExport.enabled
  "LANGFUSE_S3_MEDIA_UPLOAD_MAX_CONTENT_LENGTH" $store.mediaUpload.maxContentLength
  "LANGFUSE_S3_MEDIA_UPLOAD_DOWNLOAD_URL_EXPIRY_SECONDS" $store.mediaUpload.downloadUrlExpirySeconds
  "LANGFUSE_S3_CONCURRENT_READS" $store.concurrency.reads
  "LANGFUSE_S3_CONCURRENT_WRITES" $store.concurrency.writes
) }}
{{- $groups := dict "EVENT_UPLOAD" $store.eventUpload "MEDIA_UPLOAD" $store.mediaUpload }}
{{- if $store.batchExport.enabled }}
{{- $groups = set $groups "BATCH_EXPORT" $store.batchExport }}
{{- end }}
{{- range $group, $upload := $groups }}
{{- $name := printf "LANGFUSE_S3_%s" $group }}
{{- include "stand-in.literals" (dict
  (printf "%s_BUCKET" $name) (required (printf "a bucket is required for %s" $group) ($upload.bucket | default $store.bucket))
  (printf "%s_FORCE_PATH_STYLE" $name) (or $upload.forcePathStyle $store.forcePathStyle)
) }}
{{- include "stand-in.optional" (dict
  (printf "%s_PREFIX" $name) $upload.prefix
  (printf "%s_REGION" $name) ($upload.region | default $store.region)
  (printf "%s_ENDPOINT" $name) ($upload.endpoint | default $store.endpoint)
) }}
{{- range $suffix, $key := dict "ACCESS_KEY_ID" "accessKeyId" "SECRET_ACCESS_KEY" "secretAccessKey" }}
{{- $from := get $upload $key }}
{{- if not (or $from.value $from.secretKeyRef.name) }}
{{- $from = get $store $key }}
{{- end }}
{{- include "stand-in.references" (dict (printf "%s_%s" $name $suffix) $from) }}
{{- end }}
{{- end }}
{{- end }}

{{/* The whole of it as JSON. A name that is there twice is refused, as the official chart does. */}}
{{- define "stand-in.environment" -}}
{{- $root := .root }}
{{- $own := get $root.Values.langfuse .component }}
{{- $written := list }}
{{- range $part := list "application" "postgres" "redis" "clickhouse" "storage" }}
{{- $written = concat $written (include (printf "stand-in.%s" $part) $root | fromYamlArray) }}
{{- end }}
{{- if eq .component "web" }}
{{- $written = append $written (dict "name" "PORT" "value" (printf "%v" $own.service.port)) }}
{{- end }}
{{- $written = append $written (dict "name" "HOSTNAME" "value" "0.0.0.0") }}
{{- $written = concat $written ($root.Values.langfuse.additionalEnv | default list) ($own.pod.additionalEnv | default list) }}
{{- $names := list }}
{{- range $written }}
{{- if has .name $names }}
{{- fail (printf "Only one of additionalEnv or the new structure can be configured: %s" .name) }}
{{- end }}
{{- $names = append $names .name }}
{{- end }}
{{- $written | toJson }}
{{- end }}
