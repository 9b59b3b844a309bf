/** Findings of cdk-nag that are meant to be, each with its reason. */
import { Stack, Validations } from 'aws-cdk-lib';
import type { Construct } from 'constructs';

/** A wildcard in a policy below `scope`. */
export function acknowledgeWildcard(scope: Construct, resource: string, reason: string): void {
  const finding = nagText(Stack.of(scope).resolve(resource));
  Validations.of(scope).acknowledge({ id: `AwsSolutions-IAM5[Resource::${finding}]`, reason });
}

type Reference =
  | string
  | { readonly Ref: string }
  | { readonly 'Fn::GetAtt': readonly [string, string] }
  | { readonly 'Fn::Join': readonly [string, readonly Reference[]] }
  | { readonly 'Fn::Select': readonly unknown[] };

/** How cdk-nag writes a resource: `<Id.Arn>/sets/*`. */
function nagText(resource: Reference): string {
  if (typeof resource === 'string') return resource;
  if ('Ref' in resource) return `<${resource.Ref}>`;
  if ('Fn::GetAtt' in resource) return `<${resource['Fn::GetAtt'].join('.')}>`;
  if ('Fn::Select' in resource) return JSON.stringify(resource);
  const [delimiter, parts] = resource['Fn::Join'];
  return parts.map(nagText).join(delimiter);
}
